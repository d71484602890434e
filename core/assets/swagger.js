// The documentation page of the API; the bundle of swagger-ui is a script of its own before this one.
window.SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#swagger", deepLinking: true, validatorUrl: null });
