"""How GitHub writes its things as JSON: state in, dictionaries out. Used by REST answers and by webhooks alike."""
