"""Read models of orchestration: versions of policies, and the directories that routing decides from."""
