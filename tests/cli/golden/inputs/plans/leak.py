ROLLBACK_CONFIG = {"fallback_providers": {"primary": {"provider": "openai", "api_key": "sk-aaaabbbbccccddddeeee1111"}}}
