--- Connections of silly.net.tcp: reading, writing, closing.

local tcp = require "silly.net.tcp"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local streams = require "spec.support.streams"

--- All results of a call, with their number.
local function all(...)
	return { n = select("#", ...), ... }
end

describe("conn:read", function()
	before_each(streams.before)
	after_each(streams.after)

	it("T25: leaves what is over at the end to be read by its exact size", async(function()
		local conn, peer = streams.with_raw()
		peer:send("abc")
		peer:close()
		assert.same({ n = 2, "", "end of file" }, all(conn:read(5)))
		assert.equal(3, conn:unreadbytes())
		assert.same({ n = 2, "", "end of file" }, all(conn:read("\n")))
		assert.same({ n = 2, "abc", nil }, all(conn:read(3)))
		assert.same({ n = 2, "", "end of file" }, all(conn:read(1)))
	end))

	it("T26: ends at its timeout, and the connection goes on", async(function()
		local conn, peer = streams.with_raw()
		peer:send("abc")
		local took, data, why = node.timed(conn.read, conn, 10, 100)
		assert.same({ nil, "read timeout" }, { data, why })
		assert.is_true(took >= 100)
		assert.is_true(conn:isalive())
		peer:send("defghij")
		assert.same({ n = 2, "abcdefghij", nil }, all(conn:read(10, 5000)))
	end))

	it("takes a timeout of 0 as a look at what is there", async(function()
		local conn, peer = streams.with_raw()
		assert.same({ nil, "read timeout" }, { conn:read(1, 0) })
		peer:send("x")
		node.eventually(function()
			return conn:unreadbytes() == 1
		end)
		assert.equal("x", conn:read(1, 0))
	end))

	it("T27: ends when another task closes the connection", async(function()
		local conn = streams.with_raw()
		local result, done
		task.fork(function()
			result, done = all(conn:read(1)), true
		end)
		time.sleep(0)
		assert.is_nil(done)
		conn:close()
		time.sleep(0)
		assert.same({ n = 2, nil, "active closed" }, result)
	end))

	it("is told of the close, though its timeout came just before", async(function()
		local conn = streams.with_raw()
		local result
		time.after(0, function()
			conn:close()
		end)
		task.fork(function()
			result = all(conn:read(1, 0))
		end)
		while not result do
			time.sleep(0)
		end
		assert.same({ n = 2, nil, "active closed" }, result)
	end))

	it("fails on a connection that is closed already", async(function()
		local conn, peer = streams.with_raw()
		peer:send("abc")
		assert.equal("a", conn:read(1))
		conn:close()
		assert.same({ n = 2, nil, "socket closed" }, all(conn:read(1)))
		assert.same({ n = 2, nil, "socket closed" }, all(conn:read("\n")))
		assert.same({ n = 2, nil, "socket closed" }, all(conn:read(0)))
	end))

	it("gives so many bytes, whatever the pieces they come in", async(function()
		local conn, peer = streams.with_raw()
		local text = ("0123456789"):rep(20000)
		task.fork(function()
			for position = 1, #text, 7777 do
				peer:send(text:sub(position, position + 7776))
			end
		end)
		local parts = {}
		for number = 1, 8 do
			parts[number] = conn:read(25000)
			assert.equal(25000, #parts[number])
		end
		assert.equal(text, table.concat(parts))
	end))

	it("gives everything through a delimiter, which may be any byte", async(function()
		local conn, peer = streams.with_raw()
		peer:send("one\ntwo\n\nnul\0rest")
		assert.same({ n = 2, "one\n", nil }, all(conn:read("\n")))
		assert.equal("two\n", conn:readline("\n"))
		assert.equal("\n", conn:readline("\n"))
		assert.equal("nul\0", conn:read("\0"))
		assert.same({ nil, "read timeout" }, { conn:read("5", 10) })
		peer:send("4")
		assert.same({ nil, "read timeout" }, { conn:read("5", 10) })
		peer:send("567")
		assert.equal("rest45", conn:read("5"))
		assert.equal("67", conn:read(2))
	end))

	it("of less than one byte is an empty string", async(function()
		local conn = streams.with_raw()
		assert.same({ n = 2, "", nil }, all(conn:read(0)))
		assert.same({ n = 2, "", nil }, all(conn:read(-5)))
	end))

	it("tells a reset, before and after, and what had come before it", async(function()
		local conn, peer = streams.with_raw()
		peer:send("abc")
		node.eventually(function()
			return conn:unreadbytes() == 3
		end)
		local result
		task.fork(function()
			result = all(conn:read(5))
		end)
		time.sleep(0)
		peer:reset()
		node.eventually(function()
			return result
		end)
		assert.same({ n = 2, nil, "Connection reset by peer" }, result)
		assert.same({ n = 2, "abc", nil }, all(conn:read(3)))
		assert.same({ n = 2, nil, "Connection reset by peer" }, all(conn:read(1)))
		assert.is_false(conn:isalive())
	end))

	it("refuses a second task", async(function()
		local conn, peer = streams.with_raw()
		local first
		task.fork(function()
			first = conn:read(2)
		end)
		time.sleep(0)
		assert.error_matches(function()
			conn:read(1)
		end, "conn:read: another task waits to read from this connection")
		peer:send("xy")
		node.eventually(function()
			return first
		end)
		assert.equal("xy", first)
		peer:send("z")
		assert.equal("z", conn:read(1))
	end))

	it("refuses what is neither a number of bytes nor one byte", async(function()
		local conn = streams.with_raw()
		local wanted = "conn:read: what to read must be a number of bytes or a delimiter of one byte, got "
		local function refuses(value, got)
			assert.error_matches(function()
				conn:read(value)
			end, wanted .. got)
		end
		refuses("\r\n", "string")
		refuses("", "string")
		refuses(nil, "nil")
		refuses({}, "table")
		refuses(true, "boolean")
		local _, problem = pcall(conn.read, conn, 1.5)
		assert.matches("conn:read: the number of bytes must be a whole number, got number 1.5", problem)
		assert.error_matches(function()
			conn:read(1, -1)
		end, "conn:read: the timeout must be between 0 and %d+, got number %-1")
		assert.error_matches(function()
			tcp.read({}, 1)
		end, "conn:read: the first argument must be a connection from tcp.connect or accept, got table")
	end))

	it("belongs into a task", async(function()
		local conn = streams.with_raw()
		local problem
		coroutine.wrap(function()
			problem = select(2, pcall(conn.read, conn, 1))
		end)()
		assert.matches("conn:read cannot wait inside a coroutine", problem)
	end))

	it("of a task that fails in between leaves nothing behind", async(function()
		local conn, peer = streams.with_raw()
		task.fork(function()
			conn:read(1, 10)
			error("boom")
		end)
		peer:send("x")
		time.sleep(20)
		peer:send("y")
		assert.equal("y", conn:read(1))
	end))

	it("of a task that is cancelled makes room for another one", async(function()
		local conn, peer = streams.with_raw()
		local reader = task.fork(function()
			conn:read(1, 100)
			error("was cancelled")
		end)
		time.sleep(0)
		assert.equal("silly.net.tcp", task.inspect()[reader].waits)
		task.cancel(reader)
		assert.same({ nil, "read timeout" }, { conn:read(1, 1) })
		peer:send("x")
		assert.equal("x", conn:read(1))
		assert.equal(0, log.count("E"))
	end))

	it("of a task that is cancelled as its time is up is told nobody", async(function()
		local conn, peer = streams.with_raw()
		local reader
		time.after(1, function()
			task.cancel(reader) -- the event for the read comes next
		end)
		reader = task.fork(function()
			conn:read(1, 1)
			error("was cancelled")
		end)
		time.sleep(5)
		assert.is_nil(task.status(reader))
		peer:send("x")
		assert.equal("x", conn:read(1))
		assert.equal(0, log.count("E"))
	end))
end)

describe("conn:limit", function()
	before_each(streams.before)
	after_each(streams.after)

	--- Sends so much and waits until no more is taken in, and more is queued at the other end.
	local function flood(conn, other, size)
		other:write(("x"):rep(size))
		local last
		node.eventually(function()
			local before = last
			last = conn:unreadbytes()
			time.sleep(20)
			return last > 0 and last == before
		end, "an end of the reading")
		return last
	end

	it("is 1 MiB: no more is taken in while nobody reads", async(function()
		local conn, other = streams.pair()
		local size = 32 * 1024 * 1024 -- more than the system's own buffers hold
		local taken = flood(conn, other, size)
		assert.is_true(taken >= 1024 * 1024 and taken < 1024 * 1024 + 64 * 1024)
		assert.is_true(other:unsentbytes() > 0)
		-- Reading makes room, and nothing is lost.
		for _ = 1, 32 do
			assert.equal(1024 * 1024, #conn:read(1024 * 1024))
		end
		assert.equal(0, conn:unreadbytes())
		assert.equal(0, other:unsentbytes())
	end))

	it("can be changed, and nil brings the usual one back", async(function()
		local conn, other = streams.pair()
		conn:limit(1000)
		local taken = flood(conn, other, 16 * 1024 * 1024)
		assert.is_true(taken >= 1000 and taken < 1000 + 64 * 1024)
		conn:limit(200000)
		node.eventually(function()
			return conn:unreadbytes() >= 200000
		end)
		conn:limit(nil)
		node.eventually(function()
			return conn:unreadbytes() >= 1024 * 1024
		end)
	end))

	it("gives way to a task that waits for more", async(function()
		local conn, other = streams.pair()
		conn:limit(10)
		other:write(("x"):rep(3000000) .. "\nrest")
		assert.equal(2000000, #conn:read(2000000))
		assert.equal(1000001, #conn:read("\n"))
		conn:limit(0)
		assert.equal("rest", conn:read(4))
		other:close()
		assert.same({ "", "end of file" }, { conn:read(1) })
	end))

	it("refuses what is no number", async(function()
		local conn = streams.with_raw()
		assert.error_matches(function()
			conn:limit("much")
		end, "conn:limit: the number of bytes must be a whole number, got string \"much\"")
	end))
end)

describe("conn:write", function()
	before_each(streams.before)
	after_each(streams.after)

	it("takes a string or a list of strings, and needs no task", function()
		local conn, peer
		async(function()
			conn, peer = streams.with_raw()
		end)()
		assert.same({ n = 2, true, nil }, all(conn:write("one ")))
		assert.same({ n = 2, true, nil }, all(conn:write({ "two ", "", "three" })))
		assert.same({ n = 2, true, nil }, all(conn:write({})))
		assert.same({ n = 2, true, nil }, all(conn:write("")))
		-- Nor a turn of the loop: a host's next one may be far away.
		peer.sock:settimeout(5)
		assert.equal("one two three", (peer.sock:receive(13)))
	end)

	it("sends a list of a hundred thousand in order", async(function()
		local conn, other = streams.pair()
		local parts = {}
		for number = 1, 100000 do
			parts[number] = number .. ","
		end
		assert.is_true(conn:write(parts))
		local whole = table.concat(parts)
		assert.equal(whole, (other:read(#whole)))
	end))

	it("refuses anything else, and sends nothing of it", async(function()
		local conn, other = streams.pair()
		local _, problem = pcall(function()
			conn:write(5)
		end)
		assert.matches("^spec/tcp_spec.lua:%d+: conn:write: the data must be a string or a list of strings, "
			.. "got number 5$", problem)
		assert.error_matches(function()
			conn:write(nil)
		end, "conn:write: the data must be a string or a list of strings, got nil")
		assert.error_matches(function()
			conn:write({ "one", 2, "three" })
		end, "conn:write: element 2 of the data must be a string, got number 2")
		conn:write("end")
		assert.equal("end", other:read(3))
	end))

	it("tells who has closed the connection", async(function()
		local conn, peer = streams.with_raw()
		peer:close()
		assert.same({ "", "end of file" }, { conn:read(1) })
		assert.same({ n = 2, false, "socket is closed" }, all(conn:write("x")))
		assert.is_false(conn:isalive())
		conn:close()
		assert.same({ n = 2, false, "socket closed" }, all(conn:write("x")))
		local other
		conn, other = streams.with_raw()
		other:reset()
		assert.same({ nil, "Connection reset by peer" }, { conn:read(1) })
		assert.same({ n = 2, false, "socket is closed" }, all(conn:write("x")))
	end))

	it("counts what the system has not taken yet", async(function()
		local conn, other = streams.pair()
		assert.equal(0, conn:unsentbytes())
		conn:write("x")
		assert.equal(1, conn:unsentbytes())
		other:limit(0)
		local size = 32 * 1024 * 1024
		conn:write(("x"):rep(size))
		node.eventually(function()
			return conn:unsentbytes() <= size
		end)
		assert.is_true(conn:unsentbytes() > 0)
		assert.equal(size + 1, #other:read(size + 1))
		assert.equal(0, conn:unsentbytes())
	end))

	it("still sends what was queued when the other end finishes", async(function()
		local conn, peer = streams.with_raw()
		local size = 16 * 1024 * 1024
		conn:write(("x"):rep(size))
		peer.sock:shutdown("send")
		assert.same({ "", "end of file" }, { conn:read(1) })
		assert.is_true(conn:unsentbytes() > 0)
		assert.same({ false, "socket is closed" }, { conn:write("y") })
		assert.is_true(peer:has_ended())
		assert.equal(size, #peer.arrived)
		assert.equal(0, conn:unsentbytes())
	end))
end)

describe("conn:close", function()
	before_each(streams.before)
	after_each(streams.after)

	it("is true the first time", async(function()
		local conn = streams.with_raw()
		assert.same({ n = 2, true, nil }, all(conn:close()))
		assert.same({ n = 2, false, "socket closed" }, all(conn:close()))
		assert.is_nil(conn.fd)
	end))

	it("still sends what was written before", async(function()
		local conn, other = streams.pair()
		local size = 8 * 1024 * 1024
		other:limit(0)
		conn:write(("x"):rep(size))
		conn:close()
		assert.equal(size, #other:read(size))
		assert.same({ "", "end of file" }, { other:read(1) })
	end))

	it("drops what is unread, and does not reset the other end", async(function()
		local conn, other = streams.pair()
		other:write(("x"):rep(3000000))
		assert.equal("x", conn:read(1))
		conn:write("answer")
		conn:close()
		assert.equal("answer", other:read(6))
		assert.same({ "", "end of file" }, { other:read(1) })
	end))

	it("is what isalive and the counts tell", async(function()
		local conn, peer = streams.with_raw()
		assert.is_true(conn:isalive())
		peer:send("abc")
		peer:close()
		node.eventually(function()
			return conn:isalive() == false
		end)
		assert.equal(3, conn:unreadbytes())
		conn:close()
		assert.same({ n = 1, nil }, all(conn:isalive()))
		assert.equal(0, conn:unreadbytes())
		assert.equal(0, conn:unsentbytes())
		conn:limit(5)
	end))

	it("happens at the end of a scope", async(function()
		if _VERSION < "Lua 5.4" then
			return -- no to-be-closed variables
		end
		local conn, peer = streams.with_raw()
		load([[
			local conn = ...
			local scoped <close> = conn
			scoped:write("bye")
		]])(conn)
		assert.is_nil(conn.fd)
		assert.is_true(peer:has_ended())
		assert.equal("bye", peer.arrived)
		load("local conn = ... local scoped <close> = conn")(conn)
	end))

	it("happens to a connection that nobody can reach", async(function()
		local server = raw.listen()
		local function forget()
			assert(tcp.connect(server.addr)):write("bye")
		end
		forget()
		local peer = server:accept()
		node.eventually(function()
			collectgarbage()
			return peer:has_ended(10)
		end, "the end of the connection")
		assert.equal("bye", peer.arrived)
	end))

	it("does not happen to one that a task reads from, though nobody else knows it", async(function()
		local server = raw.listen()
		local got
		task.fork(function()
			got = tcp.connect(server.addr):read(3)
		end)
		local peer = server:accept()
		for _ = 1, 3 do
			collectgarbage()
			time.sleep(0)
		end
		peer:send("abc")
		node.eventually(function()
			return got
		end)
		assert.equal("abc", got)
	end))

	it("leaves the other end's address", async(function()
		local conn, peer = streams.with_raw()
		local address = peer:name()
		assert.equal(address, conn:remoteaddr())
		conn:close()
		assert.equal(address, conn:remoteaddr())
	end))
end)

describe("silly.net.tcp", function()
	before_each(streams.before)
	after_each(streams.after)

	it("has the functions of a connection under older names", async(function()
		local conn, peer = streams.with_raw()
		assert.is_true(tcp.isalive(conn))
		assert.is_true(tcp.write(conn, "ping"))
		assert.equal(4, tcp.sendsize(conn))
		tcp.limit(conn, 100)
		peer:send("pong!")
		assert.equal("pong", tcp.read(conn, 4))
		assert.equal(1, tcp.recvsize(conn))
		assert.same({ n = 2, true, nil }, all(tcp.close(conn)))
		assert.same({ n = 2, false, "socket closed" }, all(tcp.close(conn)))
	end))
end)
