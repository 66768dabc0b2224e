--- The chat of examples/chat, beyond what its run.lua shows (examples_spec): nodes that are not there,
--- and where rooms are placed.

local dead_address = require("spec.support.raw").dead_address
local node = require "spec.support.node"
local placement = dofile "examples/chat/placement.lua"
local shell = require "spec.support.shell"
local tcp = require "silly.net.tcp"

local FOLDER = shell.root .. "/examples/chat/"

describe("the chat's placement", function()
	local nodes = {}
	for index = 1, 4 do
		nodes[index] = { addr = "10.0.0." .. index .. ":7000" }
	end

	it("spreads rooms over all nodes", function()
		local count = {}
		for room = 1, 2000 do
			local best = placement.order("room" .. room, nodes)[1]
			count[best] = (count[best] or 0) + 1
		end
		for _, one in ipairs(nodes) do
			assert.is_true(count[one] > 350 and count[one] < 650, one.addr .. ": " .. count[one])
		end
	end)

	it("moves the rooms of a node that has gone, and no others", function()
		local left = { nodes[1], nodes[2], nodes[4] }
		for room = 1, 200 do
			local before = placement.order("room" .. room, nodes)
			local after = placement.order("room" .. room, left)
			assert.equal(before[1] == nodes[3] and before[2] or before[1], after[1])
		end
	end)
end)

describe("the chat", function()
	local children = {}

	before_each(node.before)
	after_each(function()
		for _, child in ipairs(children) do
			child.kill("KILL")
			child.wait()
		end
		children = {}
		node.after()
	end)
	teardown(shell.clean)

	--- Starts a script of the example: its address.
	local function run(script, ...)
		local text = ("arg = { [0] = %q, '%s' } dofile(arg[0])"):format(
			FOLDER .. script, table.concat({ "127.0.0.1:0", ... }, "', '"))
		local child = shell.start(text, { command = shell.launcher })
		children[#children + 1] = child
		return assert(child.read():match(" on (%S+),"))
	end

	local function hear(conn)
		return (conn:read("\n", 5000):gsub("\n$", ""))
	end

	local function ask(conn, line)
		conn:write(line .. "\r\n")
		return hear(conn)
	end

	local function connect(gateway)
		local conn = assert(tcp.connect(gateway))
		assert.matches("^%* hello, guest%d", hear(conn))
		hear(conn)
		return conn
	end

	it("finds a room when the nodes before its own are not there", async(function()
		local gateway = run("gateway.lua", dead_address(), dead_address(), run("room.lua"))
		local conn = connect(gateway)
		for _, room in ipairs { "a", "b", "c", "d" } do
			assert.equal(("* you are in %s, alone"):format(room), ask(conn, "/join " .. room))
			assert.equal("guest1: hello", ask(conn, "hello"))
		end
		assert.equal("* you are in no room", ask(conn, "/leave"))
		assert.equal("* you are in no room: /join one", ask(conn, "hello"))
		conn:close()
	end))

	it("says so when there is no node at all, and goes on", async(function()
		local dead = dead_address()
		local conn = connect(run("gateway.lua", dead))
		assert.equal(("* no: connect %s: Connection refused"):format(dead), ask(conn, "/join a"))
		assert.equal("* you are in no room: /join one", ask(conn, "/who"))
		assert.equal("* good-bye", ask(conn, "/quit"))
		assert.same({ "", "end of file" }, { conn:read("\n", 5000) })
		conn:close()
	end))

	it("frees a name in a room when its owner leaves or hangs up", async(function()
		local gateway = run("gateway.lua", run("room.lua"))
		local one, other = connect(gateway), connect(gateway)
		ask(one, "/name Ada")
		ask(other, "/name Ada")
		assert.equal("* you are in a, alone", ask(one, "/join a"))
		assert.equal("* no: the name Ada is taken in a", ask(other, "/join a"))
		assert.equal("* you are in no room", ask(one, "/leave"))
		assert.equal("* you are in a, alone", ask(other, "/join a"))
		other:close()
		node.eventually(function()
			return ask(one, "/join a") == "* you are in a, alone"
		end, "the name is free again")
		one:close()
	end))
end)
