"""Start the report: python3 main.py --help"""

import sys

from expenses.cli import main

if __name__ == "__main__":
    sys.exit(main())
