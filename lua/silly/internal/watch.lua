--- Who is told of which signal: a script's handler, or else what the launcher does.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"

if core.loaded.watch then
	return core.loaded.watch --[[@as silly.watch]]
end

---@class silly.watch
local watch = {}
core.loaded.watch = watch

---@type table<integer, string>
local names = {}
for name, number in pairs(core.signals) do
	names[number] = name
end

---@type table<string, fun(name: string)> what scripts have asked for
local handlers = {}
---@type table<string, {run: fun(name: string), last: boolean}>
local fallbacks = {}

--- Makes the process's action fit what is in the tables.
local function apply(name)
	local fallback = fallbacks[name]
	if handlers[name] then
		return core.watch(core.signals[name], false)
	elseif fallback then
		return core.watch(core.signals[name], fallback.last)
	end
	core.unwatch(core.signals[name])
	return true
end

--- Sets a script's handler, or takes it away.
---@param name string
---@param fn fun(name: string)?
---@return boolean? ok
---@return string? message
---@return boolean? uncatchable
function watch.set(name, fn)
	local before = handlers[name]
	handlers[name] = fn
	local ok, why, uncatchable = apply(name)
	if not ok then
		handlers[name] = before
	end
	return ok, why, uncatchable
end

--- The script's handler of a signal.
---@return fun(name: string)?
function watch.get(name)
	return handlers[name]
end

--- Sets what is done where the script has no handler.
---@param name string
---@param run fun(name: string)
---@param last boolean whether it ends the process
---@return boolean? ok
---@return string? message
function watch.fallback(name, run, last)
	fallbacks[name] = { run = run, last = last }
	local ok, why = apply(name)
	return ok, why
end

loop.on(core.events.SIGNAL, function(number)
	local name = names[number]
	local fallback = fallbacks[name]
	local run = handlers[name] or fallback and fallback.run
	if run then
		scheduler.start(run, name)
	end
end)

return watch
