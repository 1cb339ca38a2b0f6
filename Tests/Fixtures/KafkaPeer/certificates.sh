#!/usr/bin/env bash
# Makes the certificates that the tests of TLS use, in the folder named: two authorities, brokers good, expired and of another
# name, a client of each authority.
#   certificates.sh DIR
set -euo pipefail
cd "$1"
curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

authority() {
    openssl req -x509 "${curve[@]}" -keyout "$1.key" -out "$1.pem" -days 2 -subj "/CN=$1"
}

# NAME AUTHORITY ALTERNATIVE-NAMES DAYS
leaf() {
    openssl req "${curve[@]}" -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -out "$1.pem" -days "$4" \
        -extfile <(printf 'subjectAltName=%s\n' "$3")
}

{
    authority plant
    authority other
    leaf broker plant DNS:localhost,IP:127.0.0.1 2
    leaf elsewhere plant DNS:kafka.example 2
    leaf expired plant DNS:localhost,IP:127.0.0.1 -1
    leaf inspector plant DNS:inspector 2
    leaf stranger other DNS:stranger 2
    openssl ec -in inspector.key -aes256 -passout pass:opensesame -out inspector.locked.key
} >certificates.log 2>&1 || { cat certificates.log >&2; exit 1; }
