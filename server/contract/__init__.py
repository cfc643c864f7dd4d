"""What the outside may rest on, as types: the schemas and API descriptions are made from these, never by hand."""
