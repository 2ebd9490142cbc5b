import sys

from paraph.command import main

sys.exit(main())
