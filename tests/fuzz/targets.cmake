sallyport_fuzz(json shared/base)
