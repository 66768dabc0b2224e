-- Where people connect, with nc or telnet: lines of text over plain TCP. It has no rooms itself; it
-- finds the node of a room, and passes on what that sends.
--
-- usage: bin/silly examples/chat/gateway.lua ADDRESS ROOM_NODE...

package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "") .. "?.lua"

local cluster = require "silly.net.cluster"
local mutex = require "silly.sync.mutex"
local placement = require "placement"
local protocol = require "protocol"
local silly = require "silly"
local task = require "silly.task"
local tcp = require "silly.net.tcp"

local HELP = "* /name NAME, /join ROOM, /who, /leave, /quit; anything else is said in the room"

-- Somebody who says nothing for so long is gone: milliseconds.
local IDLE = 30 * 60 * 1000
-- Somebody who takes so little of what is sent is not there to read it: bytes.
local UNREAD = 256 * 1024

local nodes = {} -- all room nodes: their addr, and the peer once there is one
local places = {} -- rooms with users of ours, by name: {room, node, users by name}
local guests = 0

-- What a user asks for and what becomes of the room happen one after the other, by user.
local turns = mutex.new()

local function tell(user, text)
	user.conn:write(text .. "\n")
	if user.conn:unsentbytes() > UNREAD then
		user.conn:close()
	end
end

-- A call to a node; nil and why not, which may also be what the node says.
local function ask(node, cmd, body)
	node.peer = node.peer or cluster.connect(node.addr)
	local answer, why = cluster.call(node.peer, cmd, body)
	if answer and answer.error then
		return nil, answer.error
	end
	return answer, why
end

-- Brings a user into a room: on the node where users of ours are already, or on the first one that
-- is there. After a timeout nobody knows whether the node took the user in, so no other one is tried.
local function enter(user, room, moved)
	local why = "there is no room node"
	for _, node in ipairs(places[room] and { places[room].node } or placement.order(room, nodes)) do
		local answer
		answer, why = ask(node, protocol.JOIN, { room = room, name = user.name, moved = moved })
		if answer then
			-- Another user of ours may have come in meanwhile.
			local place = places[room] or { room = room, node = node, users = {} }
			places[room], place.users[user.name], user.place = place, user, place
			return answer.names or {}
		elseif why ~= "closed" and not why:find("^connect ") then
			break
		end
	end
	return nil, why
end

local function leave(user)
	local place = user.place
	if place then
		user.place, place.users[user.name] = nil, nil
		if not next(place.users) and places[place.room] == place then
			places[place.room] = nil
		end
		ask(place.node, protocol.LEAVE, { room = place.room, name = user.name })
	end
end

-- A room's node has died: its users here go where the room is now, as those of other gateways do.
local function move(place)
	local users = {}
	for _, user in pairs(place.users) do
		users[#users + 1] = user
	end
	for _, user in ipairs(users) do
		local turn = turns:lock(user)
		if user.place == place then -- has not left meanwhile
			user.place = nil
			local others, why = enter(user, place.room, true)
			tell(user, others and ("* %s has moved to another node"):format(place.room)
				or ("* %s is lost: %s"):format(place.room, why))
		end
		turn:unlock()
	end
end

local commands = {}

function commands.name(user, name)
	if user.place then
		tell(user, "* /leave the room first")
	elseif not name:find("^[%w_-]+$") or #name > 20 then
		tell(user, "* a name is up to 20 letters and digits")
	else
		user.name = name
		tell(user, "* you are " .. name)
	end
end

function commands.join(user, room)
	if not room:find("^[%w_-]+$") or #room > 20 then
		tell(user, "* a room's name is up to 20 letters and digits")
		return
	end
	leave(user)
	local names, why = enter(user, room)
	if not names then
		tell(user, "* no: " .. why)
	elseif #names == 0 then
		tell(user, ("* you are in %s, alone"):format(room))
	else
		tell(user, ("* you are in %s with %s"):format(room, table.concat(names, ", ")))
	end
end

function commands.who(user)
	local place = user.place
	tell(user, place and ("* you are %s, in %s on %s"):format(user.name, place.room, place.node.addr)
		or "* you are in no room: /join one")
end

function commands.leave(user)
	leave(user)
	tell(user, "* you are in no room")
end

function commands.help(user)
	tell(user, HELP)
end

function commands.quit(user)
	tell(user, "* good-bye")
end

local function say(user, text)
	local place = user.place
	if not place then
		tell(user, "* you are in no room: /join one")
		return
	end
	local answer, why = ask(place.node, protocol.SAY, { room = place.room, name = user.name, text = text })
	if not answer then
		tell(user, "* not said: " .. why)
	end
end

-- Does what a line says; true when that was the last one.
local function obey(user, line)
	local word, rest = line:match("^/(%l+)%s*(.-)%s*$")
	if word then
		local command = commands[word] or commands.help
		command(user, rest)
	elseif line ~= "" then
		say(user, line)
	end
	return word == "quit"
end

-- One user's connection, from beginning to end.
local function attend(conn)
	guests = guests + 1
	local user = { conn = conn, name = "guest" .. guests }
	tell(user, ("* hello, %s"):format(user.name))
	tell(user, HELP)
	while true do
		local line = conn:read("\n", IDLE)
		if not line or line == "" then
			break
		end
		local turn = turns:lock(user)
		local over = obey(user, (line:gsub("[\r\n]+$", "")))
		turn:unlock()
		if over then
			break
		end
	end
	local turn = turns:lock(user)
	leave(user)
	turn:unlock()
	conn:close()
end

cluster.serve {
	marshal = protocol.marshal,
	unmarshal = protocol.unmarshal,
	call = function(_, cmd, body)
		local place = places[body.room]
		if cmd == protocol.DELIVER and place then
			for name, user in pairs(place.users) do
				if name ~= body.name then
					tell(user, body.text)
				end
			end
		end
	end,
	close = function(peer)
		for room, place in pairs(places) do
			if place.node.peer == peer then
				places[room] = nil
				task.fork(move, place)
			end
		end
	end,
}

for index = 2, #arg do
	nodes[#nodes + 1] = { addr = arg[index] }
end
local listener = assert(tcp.listen { addr = arg[1] or "127.0.0.1:0", accept = attend })
print(("people on %s, pid %d"):format(listener.addr, silly.pid))
