"""The steps of a release, one module each; what several of them share has a leading underscore."""
