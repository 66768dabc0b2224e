--- What is open, for whoever closes all that a piece of work has opened, or wonders why the loop does not
--- end: each module that opens something says how to list it, close it and tell of it.

local scheduler = require "silly.internal.scheduler"
local core = require "silly.internal.core"

if core.loaded.open then
	return core.loaded.open --[[@as silly.open]]
end

---@class silly.open
local open = {}
core.loaded.open = open

--- A kind of things that can be open.
---@class silly.open.kind
---@field name string of one of them, for people
--- Those that are open; one that is closed and opened again is another one.
---@field list fun(): any[]
---@field close fun(thing: any)
--- A line for each, but for what cannot keep the loop from ending.
---@field tell fun(): string[]

---@type silly.open.kind[]
local kinds = {}

--- So many different lines are told of a kind.
local SHOWN = 20

--- Adds a kind.
---@param kind silly.open.kind
function open.kind(kind)
	kinds[#kinds + 1] = kind
end

-- First of all, or a task that waits on something would be told of its end and go on.
open.kind {
	name = "task",
	list = scheduler.list,
	close = function(thread)
		scheduler.cancel("silly.testing", thread)
	end,
	tell = function()
		local lines, current = {}, scheduler.current()
		for _, thread in ipairs(scheduler.list()) do
			if thread ~= current then -- that is who asks
				local where = debug and debug.traceback(thread, "", 1):gsub("^\n[^\n]*", "") or " " .. tostring(thread)
				local waits = scheduler.waits(thread)
				lines[#lines + 1] = (waits and "waits for " .. waits or "ready") .. where:gsub("\n", "\n\t")
			end
		end
		return lines
	end,
}

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

--- Adds a kind to a text: how many there are, and each of them on a line, those that are alike on one.
local function tell(kind, counts, lines)
	local times, different, told = {}, {}, kind.tell()
	for _, line in ipairs(told) do
		if not times[line] then
			times[line], different[#different + 1] = 0, line
		end
		times[line] = times[line] + 1
	end
	counts[#counts + 1] = #told > 0 and ("%d %s%s"):format(#told, kind.name, #told > 1 and "s" or "") or nil
	for index = 1, math.min(#different, SHOWN) do
		local line = different[index]
		local many = times[line] > 1 and (" (%d times)"):format(times[line]) or ""
		lines[#lines + 1] = ("\n\t%s%s: %s"):format(kind.name, many, line)
	end
	if #different > SHOWN then
		lines[#lines + 1] = ("\n\tand %d more such lines"):format(#different - SHOWN)
	end
end

--- What keeps the loop from ending.
---@return string text of several lines
function open.describe()
	local counts, lines = {}, {}
	for _, kind in ipairs(kinds) do
		tell(kind, counts, lines)
	end
	return (#counts > 0 and table.concat(counts, ", ") or "nothing") .. table.concat(lines)
end

return open
