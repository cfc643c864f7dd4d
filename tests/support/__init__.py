"""What tests share: real servers, and ways to wait for a condition."""
