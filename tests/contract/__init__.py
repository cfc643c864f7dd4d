"""The contract: forms, descriptions, and what holds them to the code."""
