"""One module a role. `manage.py` and the settings find them by their files."""
