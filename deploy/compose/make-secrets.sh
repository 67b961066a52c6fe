#!/bin/sh
# Makes the passwords of the compose stack where there are none yet, each in a volume that only those who need it
# mount. What is there stays: a second start changes nothing.
set -eu
umask 022

password() {
  # 30 random bytes, in letters that need no quoting anywhere.
  od -An -N30 -tx1 /dev/urandom | tr -d ' \n'
}

once() {
  if [ ! -s "$1" ]; then
    password > "$1.new"
    mv "$1.new" "$1"
    echo "made $1"
  fi
}

once /secrets/postgres/password
once /secrets/pregao/password
once /secrets/grafana/database
once /secrets/grafana/admin
once /secrets/redis/password
# Redis reads its password from a list of users.
printf 'user default on >%s ~* &* +@all\n' "$(cat /secrets/redis/password)" > /secrets/redis/users.acl
# Postgres makes the roles of the other two.
cp /secrets/pregao/password /secrets/postgres/pregao
cp /secrets/grafana/database /secrets/postgres/grafana
