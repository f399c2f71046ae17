"""Dispatches events as a Python script does, with Nameko's standalone dispatcher.

    dispatch.py SOURCE TYPE EXPRESSION

EXPRESSION is Python for a list; each of its values becomes an event of that type, in order.
"""

import argparse
import os

import either  # First: it silences a warning of what the others import.
from messages import evaluated


def main():
    parser = argparse.ArgumentParser(description="Dispatch events with Nameko's standalone dispatcher.")
    parser.add_argument("source")
    parser.add_argument("type")
    parser.add_argument("expression")
    parser.add_argument("--amqp-uri", default=os.environ.get("AMQP_URI"), help="broker, or AMQP_URI")
    options = parser.parse_args()
    if not options.amqp_uri:
        parser.error("give --amqp-uri or AMQP_URI")
    dispatch = either.dispatcher(options.amqp_uri)
    for payload in evaluated(options.expression):
        dispatch(options.source, options.type, payload)


if __name__ == "__main__":
    main()
