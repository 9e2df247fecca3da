"""The subcommands of `taxiway`, one module each, imported only when called."""
