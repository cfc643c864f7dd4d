"""How the server runs: uvicorn, its HTTP protocol with bounds, one process or several."""
