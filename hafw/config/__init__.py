"""config.toml, read and checked: every mistake at once, each with its line, its rule and the way out."""
