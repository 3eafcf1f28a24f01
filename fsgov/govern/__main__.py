"""`python -m fsgov.govern --config FILE`: gevent patches everything here, before any other import."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from fsgov.govern.starting import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
