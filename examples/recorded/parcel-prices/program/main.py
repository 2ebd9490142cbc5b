"""Start the calculator: python3 main.py --help"""

import sys

from prices.cli import main

if __name__ == "__main__":
    sys.exit(main())
