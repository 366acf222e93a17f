
ˆ
¿

service.version	
1.0.102
-
service.instance.id
copilot-otel-30490-0
 
vcs.repository.name	
widgets
 
service.name
github-copilot

team

payments

vcs.owner.name
acme

github.copilot1.0.102'https://opentelemetry.io/schemas/1.44.0