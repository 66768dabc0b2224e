--- Addresses that cannot be had: nil and the system's reason, never an error, and nothing is the worse
--- for it afterwards.

local cluster = require "silly.net.cluster"
local tcp = require "silly.net.tcp"
local namespace = require "spec.support.namespace"
local node = require "spec.support.node"
local shell = require "spec.support.shell"

teardown(shell.clean)

--- What scripts in processes of their own have in common; they write to the log what listen cannot do.
local NODE = [[
local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
local errno, task, time = require "silly.errno", require "silly.task", require "silly.time"
local silly = require "silly"
require "silly.logger".setoutput("/dev/null")
time.after(15000, function() os.exit(99) end)
local closed
cluster.serve {
	marshal = function(_, cmd, body) return cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, _, body) return body:find(":") and cluster.call({ addr = body }, 1, "back") or "r:" .. body end,
	close = function(_, code) closed = errno[code] end,
	timeout = 1000,
	keepalive = 2,
}
local function say(what, ok, why)
	print(what, why or ok)
	io.stdout:flush()
end
]]

describe("an address that cannot be dialled", function()
	before_each(node.before)
	after_each(node.after)

	it("is told with the system's reason", async(function()
		for addr, reason in pairs({
			["255.255.255.255:1"] = "Network is unreachable",
			["224.0.0.1:1"] = "Network is unreachable",
			["0.0.0.0:1"] = "Connection refused", -- this machine
		}) do
			assert.same({ nil, ("connect %s: %s"):format(addr, reason) }, { cluster.call(node.connect(addr), 1, "x") })
			assert.same({ nil, reason }, { tcp.connect(addr) })
		end
	end))
end)

describe("a port that only the mighty may have", function()
	--- Root without the one power that this is about.
	local MORTAL = "sh -c 'test $(id -u) -ne 0 || set -- setpriv --bounding-set=-net_bind_service \"$@\"; "
		.. "exec \"$@\"' - " .. shell.lua

	it("is told, by those who listen and by those who dial from it", function()
		local file = io.open("/proc/sys/net/ipv4/ip_unprivileged_port_start")
		if not file or file:read("*n") <= 81 then
			pending("port 81 is everybody's here")
		end
		file:close()
		shell.write("script.lua", NODE .. [[
			say("cluster", cluster.listen("127.0.0.1:81"))
			say("tcp", tcp.listen { addr = "127.0.0.1:81", accept = print })
			task.fork(function()
				say("from", tcp.connect("127.0.0.1:1", { bind = "127.0.0.1:81" }))
				say("other", cluster.listen("127.0.0.1:0") ~= nil)
				silly.exit(0)
			end)
		]])
		local result = shell.command(MORTAL .. " script.lua")
		assert.same({
			status = 0, err = "", out = "cluster\tlisten 127.0.0.1:81: Permission denied\n"
				.. "tcp\tPermission denied\nfrom\tPermission denied\nother\ttrue\n",
		}, result)
	end)
end)

describe("an interface that goes away", function()
	local network, why

	setup(function()
		network, why = namespace.open()
	end)
	teardown(function()
		if network then
			network:close()
		end
	end)

	it("is told, costs its connections, and is used again once it is back", function()
		if not network then
			pending("no network namespaces, which need root: " .. why)
		end
		local server = network:start("far", NODE .. ([[
			assert(cluster.listen("%s:8888"))
			say("listens")
		]]):format(namespace.FAR))
		assert.matches("listens", server.read())
		local client = network:start("near", NODE .. ([[
			local function run(commands) assert(os.execute("set -e; " .. commands)) end
			local NEAR, FAR = "%s", "%s"
			task.fork(function()
				local listener = assert(cluster.listen(NEAR .. ":8888"))
				local peer = cluster.connect(FAR .. ":8888")
				say("before", cluster.call(peer, 1, NEAR .. ":8888"))
				run("ip addr flush dev wire; ip link set wire down")
				say("listen", cluster.listen(NEAR .. ":8889"))
				say("bind", tcp.connect(FAR .. ":8888", { bind = NEAR .. ":0" }))
				say("dial", cluster.call(cluster.connect(FAR .. ":8889"), 1, "x"))
				say("call", cluster.call(peer, 1, "x", 300))
				while peer.fd do time.sleep(10) end
				say("closed", closed)
				say("again", cluster.call(peer, 1, "x"))
				run("ip addr add " .. NEAR .. "/24 dev wire; ip link set wire up; "
					.. "ip route add default via 10.0.1.254")
				time.sleep(600) -- the pause after a failed dial
				say("after", cluster.call(peer, 1, NEAR .. ":8888"))
				silly.exit(0)
			end)
		]]):format(namespace.NEAR, namespace.FAR))
		local out = client.wait().out
		server.kill("KILL")
		server.wait()
		assert.equal([[
before	r:back
listen	listen 10.0.1.1:8889: Cannot assign requested address
bind	Cannot assign requested address
dial	connect 10.0.2.1:8889: Network is unreachable
call	timeout
closed	Operation timed out (110)
again	connect 10.0.2.1:8888: Network is unreachable
after	r:back
]], out)
	end)
end)
