ROLLBACK_CONFIG = {
    "triggers": {"latency_threshold_ms": 200, "error_rate_threshold": 0.05, "consecutive_failures": 3},
    "fallback_providers": {
        "primary": {"provider": "holysheep", "base_url": "https://api.holysheep.ai/v1"},
        "secondary": {"provider": "openai", "base_url": "https://api.openai.com/v1"},
        "emergency": "local_llm",
    },
    "monitoring": {
        "check_interval_seconds": 30,
        "metrics_endpoint": "/v1/metrics",
        "alert_webhook": "https://hooks.example/llm",
        "dashboard": "grafana",
    },
}
