def handle(event, context):
    """Answer one request: ``event`` has body, headers, method, query, path; ``context`` has hostname."""
    return {"statusCode": 200, "body": "Hello from ClusterGenie!"}
