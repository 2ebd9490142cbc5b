"""Start the library: python3 main.py --help"""

import sys

from library.cli import main

if __name__ == "__main__":
    sys.exit(main())
