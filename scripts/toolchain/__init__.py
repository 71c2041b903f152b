# Set-up of everything the scripts need on a fresh machine; standard library only.
# The scripts call `setup.ready()`, tests call `setup.fetch()`.
