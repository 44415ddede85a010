sallyport_fuzz(json shared/base)
sallyport_fuzz(http_gate relay/http)
