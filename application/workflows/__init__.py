"""Use cases of workflows: change their settings, ask for a run, perform a run."""
