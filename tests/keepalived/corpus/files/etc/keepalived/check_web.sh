#!/bin/sh
curl -fsS -o /dev/null http://127.0.0.1:8080/health || exit 1
