"""Pure decisions: given events, when a wish, then events or an error."""
