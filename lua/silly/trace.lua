--- Trace ids: what a request carries from node to node, so that its lines can be found again in
--- every log.
--
-- An id is 64 bits: the node where the trace began, the second when, a sequence number, and the
-- node that passed it on last, 16 bits each. It belongs to a task. On interpreters without 64-bit
-- integers an id other than 0 is a string of 16 hexadecimal digits.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local check = require "silly.internal.check"

if core.loaded.trace then
	return core.loaded.trace --[[@as silly.trace]]
end

--- A trace id, or 0 for none. It is a string where integers have no 64 bits: on LuaJIT and before Lua 5.3.
---@alias silly.trace.id integer|string

---@class silly.trace
local trace = {}
core.loaded.trace = trace

local traces = scheduler.traces
local NONE = 0
local id_is_text = type(core.trace_propagate(2 ^ 40)) == "string"

--- Stands for the main chunk, which is no task under a plain interpreter.
local MAIN = coroutine.create(function() end)

local function exchange(id)
	local task = scheduler.current() or MAIN
	local previous = traces[task]
	traces[task] = id ~= NONE and id or nil
	return previous or NONE
end

--- Sets this process's node number, of which 16 bits count. Ids made before keep theirs.
---@param node integer any whole number; nodes of a cluster should have different ones
function trace.setnode(node)
	core.trace_node(check.integer("trace.setnode", "the node", node, -2 ^ 53, 2 ^ 53))
end

--- Begins a new trace in the current task.
---@return silly.trace.id previous the id it had before, or 0
function trace.spawn()
	return exchange(core.trace_spawn())
end

--- Attaches an id to the current task.
---@param id silly.trace.id? from `trace.current` or `trace.propagate`, also of another node; 0 by default
---@return silly.trace.id previous the id it had before, or 0
function trace.attach(id)
	if id ~= nil and not (id_is_text and type(id) == "string") then
		check.type("trace.attach", "the id", id, "number")
		if not id_is_text then
			id = check.integer("trace.attach", "the id", id, math.mininteger, math.maxinteger)
		end
	end
	return exchange(id or NONE)
end

--- The current task's id as the next node is to see it: passed on by this one.
---@return silly.trace.id id
function trace.propagate()
	return core.trace_propagate(trace.current())
end

--- The current task's id, or 0.
---@return silly.trace.id id
function trace.current()
	return traces[scheduler.current() or MAIN] or NONE
end

return trace
