"""``python -m healthhub`` is the healthhub program."""

from healthhub.cli import main

raise SystemExit(main())
