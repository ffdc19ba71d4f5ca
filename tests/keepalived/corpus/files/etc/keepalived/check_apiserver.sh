#!/bin/sh
errorExit() { echo "*** $*" 1>&2; exit 1; }
curl --silent --max-time 2 --insecure https://localhost:8443/ -o /dev/null || errorExit "no answer from the API"
if ip addr | grep -q 10.10.0.100; then
    curl --silent --max-time 2 --insecure https://10.10.0.100:8443/ -o /dev/null || errorExit "no answer at the VIP"
fi
