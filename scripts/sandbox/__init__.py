"""An embedded Flyte: flyteidl's API, an engine and a process runtime in one process without root."""
