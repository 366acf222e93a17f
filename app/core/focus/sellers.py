"""Who sells what: the service, its provider and invoice issuer for each provider of the price list."""

from dataclasses import dataclass

AI = ("AI and Machine Learning", "Generative AI")
TOOLS = ("Developer Tools", "Development Environments")


@dataclass(frozen=True, slots=True)
class Seller:
    """A provider of the price list as FOCUS names it: who runs, sells and invoices the service."""

    key: str
    name: str
    service: str
    category: tuple[str, str] = AI

    def cells(self) -> dict[str, str]:
        return {
            "HostProviderName": self.name,
            "InvoiceIssuerName": self.name,
            "ProviderName": self.name,
            "PublisherName": self.name,
            "ServiceCategory": self.category[0],
            "ServiceName": self.service,
            "ServiceProviderName": self.name,
            "ServiceSubcategory": self.category[1],
        }


SELLERS = {
    seller.key: seller
    for seller in (
        Seller("anthropic", "Anthropic", "Claude API"),
        Seller("aws", "AWS", "Amazon Bedrock"),
        Seller("azure", "Microsoft", "Azure OpenAI"),
        Seller("deepseek", "DeepSeek", "DeepSeek API"),
        Seller("github", "GitHub", "GitHub Copilot", TOOLS),
        Seller("github-copilot", "GitHub", "GitHub Copilot", TOOLS),
        Seller("google", "Google", "Gemini API"),
        Seller("groq", "Groq", "Groq API"),
        Seller("mistral", "Mistral AI", "Mistral API"),
        Seller("openai", "OpenAI", "OpenAI API"),
        Seller("openrouter", "OpenRouter", "OpenRouter API"),
        Seller("x-ai", "xAI", "xAI API"),
    )
}

# How the names of a developer's models begin, whoever sells them.
DEVELOPERS = (
    ("claude", "Anthropic"),
    ("gpt", "OpenAI"),
    ("chatgpt", "OpenAI"),
    ("codex", "OpenAI"),
    ("o1", "OpenAI"),
    ("o3", "OpenAI"),
    ("o4", "OpenAI"),
    ("gemini", "Google"),
    ("gemma", "Google"),
    ("mistral", "Mistral AI"),
    ("codestral", "Mistral AI"),
    ("devstral", "Mistral AI"),
    ("deepseek", "DeepSeek"),
    ("grok", "xAI"),
    ("llama", "Meta"),
    ("qwen", "Alibaba Cloud"),
    ("kimi", "Moonshot AI"),
)


def seller_of(provider: str) -> Seller:
    """The seller with this id in the price list; one that we do not know goes by its id."""
    return SELLERS.get(provider) or Seller(provider, provider or "Unknown", f"{provider or 'Unknown'} API")


def developer_of(model: str) -> str:
    """Who made a model, by its name; "" where the name does not tell. Routers put vendors before it."""
    name = model.lower().rpartition("/")[2].rpartition("anthropic.")[2]
    return next((developer for start, developer in DEVELOPERS if name.startswith(start)), "")
