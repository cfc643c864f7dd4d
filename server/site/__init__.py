"""What browsers load: pages, their files, and the reference of problems."""
