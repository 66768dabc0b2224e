--- What is open, for whoever closes all that a piece of work has opened: each module that opens
--- something says how to list it and how to close it.

local scheduler = require "silly.internal.scheduler"
local core = require "silly.internal.core"

if core.loaded.open then
	return core.loaded.open --[[@as silly.open]]
end

---@class silly.open
local open = {}
core.loaded.open = open

---@type {list: (fun(): any[]), close: fun(thing: any)}[]
local kinds = {}

--- Adds a kind of things that can be open.
---@param list fun(): any[] those that are open; one that is closed and opened again is another one
---@param close fun(thing: any)
function open.kind(list, close)
	kinds[#kinds + 1] = { list = list, close = close }
end

-- First of all, or a task that waits on something would be told of its end and go on.
open.kind(scheduler.list, function(thread)
	scheduler.cancel("silly.testing", thread)
end)

--- What is open now.
---@return table<any, true>
function open.now()
	local set = {}
	for _, kind in ipairs(kinds) do
		for _, thing in ipairs(kind.list()) do
			set[thing] = true
		end
	end
	return set
end

--- Closes what is open and is not in a set. Only for the loop's host, between turns.
---@param kept table<any, true> what stays
function open.close_all_but(kept)
	for _, kind in ipairs(kinds) do
		for _, thing in ipairs(kind.list()) do
			if not kept[thing] then
				kind.close(thing)
			end
		end
	end
end

return open
