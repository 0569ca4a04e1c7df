"""stack.yml: reading it, building and deploying what it names."""
