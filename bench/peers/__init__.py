"""Other servers that do a part of the same work, each in its own folder, as its documentation says it is fastest."""
