# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of a job as scripts that a Redis server runs whole, by its own clock.

Keys of one queue begin with one prefix, KEYS[1]:

    job:ID  a hash, the row          next   zset of ready jobs: -priority, then sequence
    wait    zset: due time           leased zset: end of the lease        done, dead  zsets: time of the move
    held    hash: token -> j:ID of a job, or l:NAME of a lock             seq    the last sequence number
    lock:NAME  a hash, the lock      kv, results  values, and which of them are purged by age

All times are milliseconds of the server.
"""

from __future__ import annotations

PRELUDE = """
local P = KEYS[1]
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function job(id) return P .. 'job:' .. id end
local function member(id)
  return string.format('%016d', tonumber(redis.call('HGET', job(id), 'seq'))) .. ':' .. id
end
local function ready(id, at)
  redis.call('HSET', job(id), 'state', 'ready', 'at', at)
  if at > 0 then
    redis.call('ZADD', P .. 'wait', at, id)
  else
    redis.call('ZADD', P .. 'next', -tonumber(redis.call('HGET', job(id), 'priority')), member(id))
  end
end
local function rest(id, state, reason)
  local t = now()
  redis.call('HSET', job(id), 'state', state, 'at', 0, 'reason', reason, 'since', t)
  redis.call('ZADD', P .. state, t, id)
end
local function put(key, value, result)
  redis.call('HSET', P .. 'kv', key, value)
  redis.call('ZREM', P .. 'results', key)
  if result then redis.call('ZADD', P .. 'results', now(), key) end
end
local function forget(key)
  redis.call('HDEL', P .. 'kv', key)
  redis.call('ZREM', P .. 'results', key)
end
local function add(i)
  local added = 0
  while ARGV[i] do
    local id = ARGV[i]
    if redis.call('EXISTS', job(id)) == 0 then
      redis.call('HSET', job(id), 'name', ARGV[i + 1], 'priority', ARGV[i + 2], 'payload', ARGV[i + 4],
        'seq', redis.call('INCR', P .. 'seq'), 'failures', 0, 'deaths', 0, 'reason', '', 'token', '',
        'since', now())
      ready(id, tonumber(ARGV[i + 3]))
      added = added + 1
    end
    i = i + 5
  end
  return added
end
"""

SCRIPTS = {
    "add": "return add(1)",
    # token, lease
    "claim": """
local first = redis.call('ZRANGE', P .. 'next', 0, 0)[1]
if not first then return false end
local id, t = string.sub(first, 18), now()
redis.call('ZREM', P .. 'next', first)
redis.call('HSET', job(id), 'state', 'leased', 'token', ARGV[1], 'since', t)
redis.call('ZADD', P .. 'leased', t + ARGV[2], id)
redis.call('HSET', P .. 'held', ARGV[1], 'j:' .. id)
return {id, redis.call('HGET', job(id), 'payload')}
""",
    # lease, tokens
    "renew": """
local kept, until_ = {}, now() + ARGV[1]
for i = 2, #ARGV do
  local what = redis.call('HGET', P .. 'held', ARGV[i])
  if what then
    local name = string.sub(what, 3)
    if string.sub(what, 1, 1) == 'j' then
      redis.call('ZADD', P .. 'leased', until_, name)
    else
      redis.call('HSET', P .. 'lock:' .. name, 'lease', until_)
    end
    kept[#kept + 1] = ARGV[i]
  end
end
return kept
""",
    # id, token, state, at, payload, reason, failed, number of puts, of deletes, then those and jobs
    "settle": """
local id = ARGV[1]
local state, token = unpack(redis.call('HMGET', job(id), 'state', 'token'))
if token ~= ARGV[2] then return 0 end
if state ~= 'leased' then return 1 end
redis.call('ZREM', P .. 'leased', id)
redis.call('HDEL', P .. 'held', token)
redis.call('HSET', job(id), 'payload', ARGV[5], 'reason', ARGV[6], 'since', now())
redis.call('HINCRBY', job(id), 'failures', ARGV[7])
if ARGV[3] == 'ready' then ready(id, tonumber(ARGV[4])) else rest(id, ARGV[3], ARGV[6]) end
local i, puts, deletes = 10, tonumber(ARGV[8]), tonumber(ARGV[9])
for _ = 1, puts do put(ARGV[i], ARGV[i + 1], true); i = i + 2 end
for _ = 1, deletes do forget(ARGV[i]); i = i + 1 end
add(i)
return 1
""",
    # may leases be taken, limit of deaths
    "tend": """
local t = now()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'wait', '-inf', t, 'LIMIT', 0, 500)) do
  redis.call('ZREM', P .. 'wait', id)
  ready(id, 0)
end
if ARGV[1] == '1' then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leased', '-inf', '(' .. t, 'LIMIT', 0, 500)) do
    redis.call('ZREM', P .. 'leased', id)
    redis.call('HDEL', P .. 'held', redis.call('HGET', job(id), 'token'))
    redis.call('HSET', job(id), 'token', '', 'since', t)
    local deaths = redis.call('HINCRBY', job(id), 'deaths', 1)
    if deaths < tonumber(ARGV[2]) then ready(id, 0)
    else rest(id, 'dead', deaths .. ' workers died with it') end
  end
end
""",
    # ids
    "requeue": """
local moved = {}
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', P .. 'dead', id) == 1 then
    redis.call('HSET', job(id), 'failures', 0, 'deaths', 0, 'token', '', 'reason', '', 'since', now())
    ready(id, 0)
    moved[#moved + 1] = id
  end
end
return moved
""",
    # ids
    "drop": """
local gone = {}
for _, id in ipairs(ARGV) do
  local state = redis.call('HGET', job(id), 'state')
  if state == 'dead' or state == 'ready' then
    redis.call('ZREM', P .. 'dead', id)
    redis.call('ZREM', P .. 'wait', id)
    redis.call('ZREM', P .. 'next', member(id))
    redis.call('DEL', job(id))
    gone[#gone + 1] = id
  end
end
return gone
""",
    # age
    "purge": """
local oldest = '(' .. (now() - ARGV[1])
local gone = redis.call('ZRANGEBYSCORE', P .. 'done', '-inf', oldest, 'LIMIT', 0, 500)
for _, id in ipairs(gone) do
  redis.call('ZREM', P .. 'done', id)
  redis.call('DEL', job(id))
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', P .. 'results', '-inf', oldest, 'LIMIT', 0, 500)) do
  forget(key)
end
return #gone
""",
    # key, value, whether it is a result
    "put": "put(ARGV[1], ARGV[2], ARGV[3] == '1')",
    # key
    "pop": """
local value = redis.call('HGET', P .. 'kv', ARGV[1])
forget(ARGV[1])
return value
""",
    # name, token, length, whether a lock may be taken that ran out
    "lock": """
local key, t = P .. 'lock:' .. ARGV[1], now()
local token, lease = unpack(redis.call('HMGET', key, 'token', 'lease'))
if token then
  if tonumber(lease) >= t or ARGV[4] ~= '1' then return 0 end
  redis.call('HDEL', P .. 'held', token)
end
redis.call('HSET', key, 'token', ARGV[2], 'lease', t + ARGV[3])
redis.call('HSET', P .. 'held', ARGV[2], 'l:' .. ARGV[1])
return 1
""",
    # name, token
    "unlock": """
redis.call('HDEL', P .. 'held', ARGV[2])
if redis.call('HGET', P .. 'lock:' .. ARGV[1], 'token') ~= ARGV[2] then return 0 end
return redis.call('DEL', P .. 'lock:' .. ARGV[1])
""",
    # name, whether a lock may be taken that ran out
    "locked": """
local lease = redis.call('HGET', P .. 'lock:' .. ARGV[1], 'lease')
if not lease then return 0 end
if tonumber(lease) < now() and ARGV[2] == '1' then return 0 end
return 1
""",
}
