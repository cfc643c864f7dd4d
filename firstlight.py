"""In a checkout, the package `firstlight` is the folder `server`; a wheel has it by this name, and not this file."""

import sys

import server

sys.modules[__name__] = server
