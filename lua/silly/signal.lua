--- Signals: `signal("SIGUSR1", fn)`. The handler is called with the signal's name, in a task of its
--- own, so it may wait.
--
-- A signal that comes several times before its handler begins counts once. A handler alone keeps no
-- loop alive: the process would never end by itself. SIGINT and SIGTERM are watched while silly runs
-- the loop; where a host drives it by `silly.step`, they stay the host's.

local core = require "silly.internal.core"
local check = require "silly.internal.check"
local watch = require "silly.internal.watch"
local log = require "silly.internal.log"

--- Sets the handler of a signal, or takes it away: then the signal does again what it did before. A
--- handler of SIGTERM must end with `silly.exit`.
---
--- Raises for a signal that nobody can catch, such as "SIGKILL".
---@param name string "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1" and so on; one that is none is logged, and
---  nothing is set
---@param fn fun(name: string)? the handler; none by default
---@return fun(name: string)? previous the handler before
---@return string? message why the system lets no handler be set
return function(name, fn)
	check.type("silly.signal", "the name", name, "string")
	if fn ~= nil then
		check.type("silly.signal", "the handler", fn, "function")
	end
	if not core.signals[name] then
		log.record(log.ERROR, "silly.signal: there is no signal " .. name)
		return nil
	end
	local previous = watch.get(name)
	local ok, why, uncatchable = watch.set(name, fn)
	if uncatchable then
		error(("silly.signal: %s: %s"):format(name, why), 2)
	elseif not ok then
		return nil, why
	end
	return previous
end
