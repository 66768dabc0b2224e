-- A node with chat rooms. It knows who is in each room and through which gateway; the rooms are there
-- as long as somebody is in them.
--
-- usage: bin/silly examples/chat/room.lua [ADDRESS]

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local cluster = require "silly.net.cluster"
local protocol = require "protocol"
local silly = require "silly"
local status = require "silly.status"

local rooms = {} -- by name: the gateway of each member, by the member's name

-- Sends a line to every gateway that has somebody in the room, once.
local function announce(room, text, but)
	-- First the list: send may wait, and the members change meanwhile.
	local gateways, listed = {}, {}
	for _, gateway in pairs(rooms[room]) do
		if not listed[gateway] then
			listed[gateway] = true
			gateways[#gateways + 1] = gateway
		end
	end
	for _, gateway in ipairs(gateways) do
		cluster.send(gateway, protocol.DELIVER, { room = room, text = text, name = but })
	end
end

local function remove(room, name)
	local members = rooms[room]
	members[name] = nil
	if next(members) then
		announce(room, ("* %s has left %s"):format(name, room))
	else
		rooms[room] = nil
	end
end

local handlers = {}

handlers[protocol.JOIN] = function(gateway, body)
	local members = rooms[body.room] or {}
	if members[body.name] then
		return { error = ("the name %s is taken in %s"):format(body.name, body.room) }
	end
	local names = {}
	for name in pairs(members) do
		names[#names + 1] = name
	end
	table.sort(names)
	rooms[body.room], members[body.name] = members, gateway
	if not body.moved then
		announce(body.room, ("* %s has joined %s"):format(body.name, body.room), body.name)
	end
	return { names = names }
end

-- The gateway's user must be one that it has brought.
local function as_member(act)
	return function(gateway, body)
		local members = rooms[body.room]
		if not members or members[body.name] ~= gateway then
			return { error = "you are not in " .. body.room }
		end
		act(body)
		return {}
	end
end

handlers[protocol.LEAVE] = as_member(function(body)
	remove(body.room, body.name)
end)

handlers[protocol.SAY] = as_member(function(body)
	announce(body.room, body.name .. ": " .. body.text)
end)

cluster.serve(status.wrap {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	call = function(peer, cmd, body)
		local handler = handlers[cmd]
		return handler and handler(peer, body)
	end,
	-- A gateway has gone, and with it whoever it had brought.
	close = function(peer)
		local gone = {}
		for room, members in pairs(rooms) do
			for name, gateway in pairs(members) do
				if gateway == peer then
					gone[#gone + 1] = { room = room, name = name }
				end
			end
		end
		for _, member in ipairs(gone) do
			remove(member.room, member.name)
		end
	end,
})

local listener = assert(cluster.listen(arg[1] or "127.0.0.1:0"))
print(("rooms on %s, pid %d"):format(listener.addr, silly.pid))
