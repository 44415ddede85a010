"""The environment of processes that a test starts: this machine alone, whatever the shell is logged in to."""
import os

os.umask(0o022)  # an agent refuses configuration that group or others may write to

OF_THE_CALLER = {"SALLYPORT_RELAY", "SALLYPORT_TOKEN", "SALLYPORT_ROOT", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}


def surroundings(**more):
    return {name: value for name, value in os.environ.items() if name not in OF_THE_CALLER} | more
