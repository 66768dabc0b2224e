--- Unix sockets: "unix:/path" in place of an address.

local cluster = require "silly.net.cluster"
local tcp = require "silly.net.tcp"
local helper = require "spec.helper"
local node = require "spec.support.node"
local process = require "spec.support.process"
local shell = require "spec.support.shell"

local dir

local function path(name)
	return dir .. "/" .. name
end

--- What a command prints, without the line's end.
local function output(command)
	local pipe = assert(io.popen(command))
	local text = pipe:read("*a"):gsub("\n$", "")
	pipe:close()
	return text
end

local function exists(name)
	return output("test -e '" .. path(name) .. "' && echo yes") == "yes"
end

local function mode(name)
	return output("ls -l '" .. path(name) .. "'"):match("^s([rwx-]+)")
end

setup(function()
	dir = output("mktemp -d")
end)
teardown(function()
	os.execute("rm -rf '" .. dir .. "'")
end)

describe("a cluster over a Unix socket", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	it("calls, is called back and tells of the end, as over TCP", async(function()
		local accepted, closed
		node.serve({
			call = function(peer, cmd, body)
				return cmd == 1 and cluster.call(peer, 2, body .. ">") or body .. "<"
			end,
			accept = function(peer, addr)
				accepted = { peer.remoteaddr, addr }
			end,
			close = function(_, errno)
				closed = errno
			end,
		})
		local addr = "unix:" .. path("a.sock")
		local listener = node.listen(addr)
		assert.equal(addr, listener.addr)
		local peer = node.connect(addr)
		assert.equal("x><", (cluster.call(peer, 1, "x")))
		assert.same({ addr, addr }, accepted)
		assert.equal(addr, peer.remoteaddr)
		assert.equal(peer, node.connect(addr))
		local large = ("x"):rep(65000)
		for _, result in ipairs(node.crowd(200, function()
			return cluster.call(peer, 2, large)
		end)) do
			assert.equal(65001, #result[1])
		end
		cluster.close(peer)
		node.eventually(function()
			return closed
		end, "the close")
		assert.equal(0, closed)
	end))

	it("connects again once there is a listener again", async(function()
		local addr = "unix:" .. path("again.sock")
		local peer = node.connect(addr)
		local _, why = cluster.call(peer, 1, "x")
		assert.equal("connect " .. addr .. ": No such file or directory", why)
		node.listen(addr)
		node.eventually(function()
			return cluster.call(peer, 1, "x") == "r:x"
		end, "an answer")
	end))

	it("crosses from process to process, whose end is heard", async(function()
		local closed
		node.serve({
			close = function(_, errno)
				closed = errno
			end,
		})
		local child = process.start(([[
			local cluster = require "silly.net.cluster"
			cluster.serve {
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function(_, _, body) return body:upper() end,
			}
			print("at " .. assert(cluster.listen("unix:%s")).addr)
		]]):format(path("child.sock")))
		local peer = node.connect(child:output("at (%S+)"))
		assert.equal("HELLO", (cluster.call(peer, 1, "hello")))
		child:kill()
		node.eventually(function()
			return closed
		end, "the close")
		-- What it has left behind is in nobody's way.
		assert.is_true(exists("child.sock"))
		node.listen("unix:" .. path("child.sock"))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("lets in who has the right to write: the owner, unless mode says otherwise", async(function()
		for name, case in pairs({
			owner = { nil, "rw-------" },
			group = { "660", "rw-rw----" },
			all = { "0666", "rw-rw-rw-" },
		}) do
			node.listen("unix:" .. path(name), nil, { mode = case[1] })
			assert.equal(case[2], mode(name))
		end
		for _, wrong in ipairs({ 600, "6", "rw", "888", "01777", true }) do
			local ok, problem = pcall(cluster.listen, "unix:" .. path("no"), nil, { mode = wrong })
			assert.is_false(ok)
			assert.matches("cluster.listen: option 'mode' must be a string of octal digits like \"660\", got ", problem)
		end
		assert.is_false(exists("no"))
	end))

	it("removes its file, and only its own", async(function()
		local addr = "unix:" .. path("file.sock")
		local first = node.listen(addr)
		local _, why = cluster.listen(addr)
		assert.equal("listen " .. addr .. ": Address already in use", why)
		cluster.close(first)
		assert.is_false(exists("file.sock"))
		local second = node.listen(addr)
		os.remove(path("file.sock"))
		local third = node.listen(addr)
		cluster.close(second)
		assert.is_true(exists("file.sock"))
		cluster.close(third)
		assert.is_false(exists("file.sock"))
	end))

	it("leaves alone what is no socket", async(function()
		shell.write("plain", "precious")
		local addr = "unix:" .. shell.dir .. "/plain"
		local _, why = cluster.listen(addr)
		assert.equal("listen " .. addr .. ": Address already in use", why)
		assert.equal("precious", shell.read("plain"))
	end))

	it("does not take a busy listener's file for one that was left behind", async(function()
		local addr = "unix:" .. path("busy.sock")
		-- Its backlog is full, and nobody takes anything in.
		local child = process.start(([[
			local tcp, task = require "silly.net.tcp", require "silly.task"
			assert(tcp.listen { addr = "%s", backlog = 1, accept = function() end })
			task.fork(function()
				for _ = 1, 4 do
					task.fork(function() tcp.connect("%s") end)
				end
				require("silly.time").sleep(0)
				print("full")
				io.stdout:flush()
				while true do end
			end)
		]]):format(addr, addr))
		child:output("(full)")
		local _, why = cluster.listen(addr)
		assert.equal("listen " .. addr .. ": Address already in use", why)
	end))

	it("says what is wrong with an address or a path", async(function()
		local long = "unix:/" .. ("a"):rep(107)
		for _, use in ipairs({ cluster.listen, cluster.connect }) do
			local ok, problem = helper.protect(function()
				use(long)
			end)
			assert.is_false(ok)
			assert.matches("the path is 108 bytes long, over the limit of 107", problem, 1, true)
			ok, problem = helper.protect(function()
				use("unix:relative")
			end)
			assert.is_false(ok)
			assert.matches('"unix:/path"', problem, 1, true)
		end
		local _, why = cluster.listen("unix:" .. path("nowhere/x.sock"))
		assert.equal("listen unix:" .. path("nowhere/x.sock") .. ": No such file or directory", why)
	end))
end)

describe("a stream over a Unix socket", function()
	before_each(node.before)
	after_each(node.after)

	it("reads and writes", async(function()
		local addr = "unix:" .. path("stream.sock")
		local listener = assert(tcp.listen({
			addr = addr,
			mode = "666",
			accept = function(conn)
				conn:write(conn:read("\n"):upper())
				conn:close()
			end,
		}))
		assert.equal("rw-rw-rw-", mode("stream.sock"))
		local conn = assert(tcp.connect(addr))
		assert.equal(addr, conn:remoteaddr())
		conn:write("hello\n")
		assert.same({ "HELLO\n" }, { conn:read("\n") })
		assert.same({ "", "end of file" }, { conn:read(1) })
		conn:close()
		listener:close()
		assert.same({ nil, "No such file or directory" }, { tcp.connect(addr) })
		assert.same({ nil, "invalid bind address:127.0.0.1:0" }, { tcp.connect(addr, { bind = "127.0.0.1:0" }) })
	end))
end)
