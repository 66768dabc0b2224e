--- The open listeners of the cluster that scripts hold.

local core = require "silly.internal.core"
local open = require "silly.internal.open"

if core.loaded.listeners then
	return core.loaded.listeners --[[@as silly.listeners]]
end

--- Where a listener keeps its native id: a key no script can collide with.
local LISTENER = {}

---@class silly.listeners
local listeners = {
	--- the key of a listener's native id; a table that has none is no listener
	ID = LISTENER,
}
core.loaded.listeners = listeners

---@type table<silly.net.cluster.listener, true>
local opened = {}

--- What a script has of a native listener.
---@param id integer
---@param bound string its address
---@return silly.net.cluster.listener
function listeners.add(id, bound)
	local listener = { fd = id, addr = bound, [LISTENER] = id }
	opened[listener] = true
	return listener
end

--- Closes one; twice is no mistake.
---@param listener silly.net.cluster.listener
function listeners.close(listener)
	core.close_listener(listener[LISTENER])
	listener.fd, opened[listener] = nil, nil
end

--- All of them have been closed natively.
function listeners.forget()
	for listener in pairs(opened) do
		listener.fd, opened[listener] = nil, nil
	end
end

open.kind {
	name = "listener",
	list = function()
		local list = {}
		for listener in pairs(opened) do
			list[#list + 1] = listener
		end
		return list
	end,
	close = listeners.close,
	tell = function()
		local lines = {}
		for listener in pairs(opened) do
			lines[#lines + 1] = tostring(listener.addr)
		end
		return lines
	end,
}

return listeners
