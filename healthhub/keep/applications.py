"""The names under which the hub's processes connect to the database. Who asks whether one works
needs no more than its name, and a probe asks every few seconds."""

WORKER = "healthhub worker"
BULK = "healthhub bulk"
NOTIFY = "healthhub notify"
WATCH = "healthhub watch"
POLL = "healthhub poll"
