--- Names: looking up what they stand for.
--
-- The hosts file is asked first, without regard to case, then the name servers, in order: one that is
-- silent for 400 ms is not waited for, the next one is asked beside it, and the silent one comes last
-- for 30 s. Answers are kept for as long as they say, denials for 2 s at most; `cluster.connect` asks
-- the same servers and shares what is kept.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
require "silly.internal.start"

if core.loaded.dns then
	return core.loaded.dns --[[@as silly.net.dns]]
end

---@class silly.net.dns
local dns = {
	--- IPv4 addresses: "1.2.3.4"
	A = 1,
	--- IPv6 addresses, in eight groups: "2001:db8:00:00:00:00:00:01"
	AAAA = 28,
	--- services: a table each
	SRV = 33,
}
core.loaded.dns = dns

--- A record of the type `dns.SRV`.
---@class silly.net.dns.service
---@field priority integer those with the lowest are to be tried first, and come first
---@field weight integer how often to choose this one among those of one priority
---@field port integer where the service listens
---@field target string the name of its host

local DEFAULT_TIMEOUT = 5000
--- A day.
local LONGEST_TIMEOUT = 24 * 3600 * 1000

local TYPES = { [dns.A] = true, [dns.AAAA] = true, [dns.SRV] = true }

--- Tasks that wait for an answer, by native slot.
---@type table<integer, thread>
local waiting = {}

-- The end of a lookup is still told when its task has ended, and frees the slot.
local slots = scheduler.track(waiting, "silly.net.dns", core.withdraw_lookup)

loop.on(core.events.LOOKED_UP, function(slot)
	return loop.wake(waiting, slot, core.answer())
end, function(slot)
	return loop.wake(waiting, slot, nil, scheduler.NO_MEMORY)
end)

--- True for what has to be looked up: everything but digits and dots, and what has a colon.
---@param name string a name, or an address without a port
---@return boolean is_name
function dns.isname(name)
	check.type("dns.isname", "the name", name, "string")
	return not (name:find("^[%d.]+$") or name:find(":", 1, true))
end

--- What lookup and resolve share. They end in a call of this one, so that errors still point at
--- theirs.
---@async
---@param first boolean whether just the first record is wanted
local function ask(caller, name, kind, timeout, first)
	check.type(caller, "the name", name, "string")
	if kind == nil then
		kind = dns.A
	else
		check.one_of(caller, "the type", kind, TYPES, "dns.A, dns.AAAA or dns.SRV")
	end
	if timeout == nil then
		timeout = DEFAULT_TIMEOUT
	else
		timeout = check.integer(caller, "the timeout", timeout, 1, LONGEST_TIMEOUT)
	end
	local task = scheduler.task(caller)
	local found, why
	if dns.isname(name) then
		local slot
		slot, why = core.lookup(name, kind, timeout)
		if slot then
			waiting[slot], slots[task] = task, slot
			found, why = scheduler.suspend()
		end
	else
		found = { name }
	end
	if not found then
		return nil, why
	end
	return first and found[1] or found
end

--- The first thing that a name stands for. A literal address comes back as it is, at once and
--- whatever the type.
---@async
---@param name string what to look up
---@param type integer? `dns.A`, `dns.AAAA` or `dns.SRV`; `dns.A` by default
---@param timeout integer? milliseconds in all, 1 to 86,400,000; 5000 by default. Too short fails when the
---  first name server is down and the next one has to be asked, which begins after 400 ms; too long
---  keeps tasks waiting when none answers.
---@return string|silly.net.dns.service|nil record an address; or a service, for `dns.SRV`
---@return string? err "timeout", "no such name", "no address found", "no service found"; else what
---  the name server or the system said
function dns.lookup(name, type, timeout)
	return ask("dns.lookup", name, type, timeout, true)
end

--- Everything that a name stands for: a list with at least one element. Otherwise as `dns.lookup`.
---@async
---@param name string what to look up
---@param type integer? `dns.A`, `dns.AAAA` or `dns.SRV`; `dns.A` by default
---@param timeout integer? milliseconds in all, as for `dns.lookup`; 5000 by default
---@return (string|silly.net.dns.service)[]? records services with the lowest priority first
---@return string? err as for `dns.lookup`
function dns.resolve(name, type, timeout)
	return ask("dns.resolve", name, type, timeout, false)
end

--- Sets the name servers to ask, in this order, from now on; `cluster.connect` asks them, too.
--- Without arguments: those of the system again. What was kept of earlier answers is dropped.
---
--- Raises when an address is malformed; the servers are then what they were.
---@param ... string each "ip:port" or "[ipv6]:port"
function dns.server(...)
	for index = 1, select("#", ...) do
		check.type("dns.server", "each address", (select(index, ...)), "string")
	end
	local ok, problem = core.name_servers(...)
	if not ok then
		error("dns.server: " .. problem, 2)
	end
end

return dns
