-- The whole thing at once: two room nodes and two gateways, each a process, and three people. Then the
-- node that has their room is killed.
--
-- Prints:
--   two room nodes and two gateways are up
--   Ada sees    * you are in lobby, alone
--   Bob sees    * you are in lobby with Ada
--   Ada sees    * Bob has joined lobby
--   Bob says    good morning
--   Ada sees    Bob: good morning
--   Bob sees    Bob: good morning
--   Cyd sees    * no: the name Ada is taken in lobby
--   the room's node is killed
--   Ada sees    * lobby has moved to another node
--   Bob sees    * lobby has moved to another node
--   Ada says    still there?
--   Ada sees    Ada: still there?
--   Bob sees    Ada: still there?
--   Bob hangs up
--   Ada sees    * Bob has left lobby
--   the gateway of Cyd, who is in lobby, is killed
--   Ada sees    * Cyd has left lobby

local silly = require "silly"
local task = require "silly.task"
local tcp = require "silly.net.tcp"

local folder = arg[0]:match("^(.*)[/\\]") or "."
local first = 0
while arg[first - 1] do
	first = first - 1
end
-- However this script was started, the others are started the same way.
local start = table.concat(arg, " ", first, -1) .. " " .. folder

local processes = {}

-- Starts a process of this example; its address and pid are what it prints.
local function run(script, ...)
	local pipe = assert(io.popen("exec " .. table.concat({ start .. "/" .. script, ... }, " ")))
	local addr, pid = assert(pipe:read("*l")):match(" on (%S+), pid (%d+)$")
	-- The pipe is kept: Lua's collector would close it, and to close it is to wait for the process's end.
	processes[addr] = { pid = pid, pipe = pipe }
	return addr
end

local function kill(addr, signal)
	os.execute(("kill -%s %s"):format(signal, processes[addr].pid))
	processes[addr] = nil
end

-- Ends all of it, whether or not it went well.
local function finish(status)
	for addr in pairs(processes) do
		kill(addr, "TERM")
	end
	silly.exit(status)
end

-- The next line that somebody gets, which must come soon.
local function hear(person)
	local line = person.conn:read("\n", 5000)
	if not line or line == "" then
		print(person.name .. " hears nothing")
		finish(1)
	end
	return (line:gsub("\n$", ""))
end

local function see(person)
	print(("%s sees    %s"):format(person.name, hear(person)))
end

local function say(person, text)
	print(("%s says    %s"):format(person.name, text))
	person.conn:write(text .. "\n")
end

local function connect(name, gateway)
	local person = { name = name, conn = assert(tcp.connect(gateway)) }
	hear(person) -- hello,
	hear(person) -- and what there is
	return person
end

-- Has somebody do something that is answered.
local function order(person, text)
	person.conn:write(text .. "\n")
	return hear(person)
end

task.fork(function()
	local one, other = run("room.lua"), run("room.lua")
	local here = run("gateway.lua", "127.0.0.1:0", one, other)
	local there = run("gateway.lua", "127.0.0.1:0", one, other)
	print("two room nodes and two gateways are up")
	local ada, bob, cyd = connect("Ada", here), connect("Bob", there), connect("Cyd", there)
	order(ada, "/name Ada")
	order(bob, "/name Bob")
	ada.conn:write("/join lobby\n")
	see(ada)
	bob.conn:write("/join lobby\n")
	see(bob)
	see(ada)
	say(bob, "good morning")
	see(ada)
	see(bob)
	order(cyd, "/name Ada")
	cyd.conn:write("/join lobby\n")
	see(cyd)

	local place = order(ada, "/who"):match("%S+$")
	print("the room's node is killed")
	kill(place, "KILL")
	see(ada)
	see(bob)
	say(ada, "still there?")
	see(ada)
	see(bob)

	print("Bob hangs up")
	bob.conn:close()
	see(ada)
	order(cyd, "/name Cyd")
	order(cyd, "/join lobby")
	hear(ada) -- that Cyd has joined
	print("the gateway of Cyd, who is in lobby, is killed")
	kill(there, "KILL")
	see(ada)
	finish(0)
end)
