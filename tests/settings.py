"""For the process that runs the tests; what it starts has the settings of the product."""

import os

from orchestrator.environment import database_settings
from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import DATABASES, INSTALLED_APPS

# Its `flush` empties the tables after each test with `transaction=True`.
INSTALLED_APPS = [*INSTALLED_APPS, "tests"]
# Makes and migrates the database of the tests; they themselves run as the application does.
MIGRATION_DATABASE = database_settings(os.environ["TESTS_OWNER_URL"])
# A good hash is slow by design, and every test makes its cast.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Each test client loads the middleware, which else would look at a thousand files every time.
WHITENOISE_AUTOREFRESH = True
# A worker's database is a copy; what is missing in there is still migrated.
DATABASES["default"]["TEST"] = {"TEMPLATE": os.environ.get("TESTS_TEMPLATE")}
# A test that changes them reads them itself; no other one counts a statement for that.
AGENT_TYPES_SECONDS = 3600.0
