"""A small Hugging Face Hub on loopback for tests: repositories as commits, LFS, the Hub's error codes, and faults.

It answers what huggingface_hub 2.4 and datasets 5.2 ask for when they create, fill, list and read model, dataset and
Space repositories. Everything lies on disk below one folder, so a Hub that was stopped starts again where it was.
There is no Xet storage: clients set HF_HUB_DISABLE_XET=1 and use LFS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from .hub_http import Answer, Fault, Handler, HubError, break_connection

LFS_ABOVE = 10 * 2**20
LFS_SUFFIXES = (".parquet", ".safetensors", ".bin", ".zip", ".gz", ".xz", ".arrow")
KINDS = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
REPO = r"(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"


@dataclass
class User:
    """role: of the token, "read" or "write"; orgs: name -> "admin", "write" or "read"; access: gated repositories."""

    name: str
    role: str = "write"
    orgs: dict[str, str] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)

    def may_read(self, namespace: str) -> bool:
        return namespace == self.name or namespace in self.orgs

    def may_write(self, namespace: str) -> bool:
        return self.role == "write" and (namespace == self.name or self.orgs.get(namespace) in ("admin", "write"))


@dataclass
class Repo:
    """commits: oldest first, each {oid, parent, title, date, files: path -> {oid, size, lfs}}; refs: name -> oid."""

    kind: str
    id: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    commits: list[dict[str, Any]] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)

    def commit(self, revision: str) -> dict[str, Any]:
        oid = self.branches.get(revision) or self.tags.get(revision) or self.pulls.get(revision) or revision
        for commit in self.commits:
            if commit["oid"] == oid or (len(oid) >= 7 and commit["oid"].startswith(oid)):
                return commit
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


class Hub:
    """The state of the Hub and its server; `users` (token -> User), `faults` and `log` are the tests' own."""

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root
        self.users: dict[str, User] = {}
        self.faults: list[Fault] = []
        self.log: list[str] = []
        self.buckets: dict[str, dict[str, Any]] = {}
        """ "METHOD /path STATUS" of every request; a broken connection has status 0."""
        self.lock = threading.RLock()
        self.port = port
        (root / "objects").mkdir(parents=True, exist_ok=True)
        self.repos = {}
        for path in root.glob("*/*/*.json"):
            repo = Repo(**json.loads(path.read_text("utf-8")))
            self.repos[repo.kind, repo.id] = repo

    # ----- the server ------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Hub:
        self.connections: set[socket.socket] = set()

        handler = type("Handler", (Handler,), {"hub": self, "routes": ROUTES})
        self.httpd = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self.httpd.server_port
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        """As a killed server ends: open connections break."""
        self.httpd.shutdown()
        self.httpd.server_close()
        for connection in list(self.connections):
            break_connection(connection)

    def clear(self) -> None:
        """Forget all repositories, contents and requests."""
        self.repos.clear()
        self.buckets.clear()
        self.log.clear()
        for path in self.root.rglob("*"):
            if path.is_file():
                path.unlink()

    # ----- repositories, also for tests that prepare one ---------------------------------------------------------

    def create(self, kind: str, name: str, **options: Any) -> Repo:
        with self.lock:
            repo = self.repos[kind, name] = Repo(kind, name, **options)
            self.write(repo, {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")
            return repo

    def write(self, repo: Repo, files: dict[str, bytes], title: str = "by a test") -> str:
        """Commit whole files; returns the commit's oid."""
        return self.add_commit(repo, "main", title, {p: self.store(p, content) for p, content in files.items()}, [])

    def store(self, path: str, content: bytes, lfs: bool | None = None) -> dict[str, Any]:
        """Keep a content; returns its entry in a commit."""
        sha256 = hashlib.sha256(content).hexdigest()
        if path.endswith(LFS_SUFFIXES) or len(content) > LFS_ABOVE if lfs is None else lfs:
            self.keep(sha256, content)
            return lfs_entry(sha256, len(content))
        oid = git_hash(content)
        self.keep(oid, content)
        return {"oid": oid, "size": len(content), "lfs": None}

    def keep(self, oid: str, content: bytes) -> None:
        temporary = self.root / "objects" / f".{oid}-{threading.get_ident()}"
        temporary.write_bytes(content)
        temporary.replace(self.root / "objects" / oid)

    def content(self, entry: dict[str, Any]) -> bytes:
        return (self.root / "objects" / (entry["lfs"] or entry["oid"])).read_bytes()

    def read(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """All files of a revision."""
        return {p: self.content(entry) for p, entry in self.repos[kind, name].commit(revision)["files"].items()}

    def add_commit(
        self, repo: Repo, branch: str, title: str, added: dict[str, Any], deleted: list[str], pull: str = ""
    ) -> str:
        with self.lock:
            parent = repo.commit(branch) if repo.commits else {"oid": None, "files": {}}
            files = {p: e for p, e in parent["files"].items() if not any(gone(p, path) for path in deleted)} | added
            date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            commit = {"parent": parent["oid"], "title": title, "date": date, "files": files}
            commit["oid"] = hashlib.sha1(f"{repo.id} {len(repo.commits)} {commit}".encode()).hexdigest()
            repo.commits.append(commit)
            (repo.pulls if pull else repo.branches)[pull or branch] = commit["oid"]
            self.save(repo)
            return commit["oid"]

    def save(self, repo: Repo) -> None:
        path = self.root / repo.kind / f"{repo.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".tmp").write_text(json.dumps(asdict(repo)), "utf-8")
        path.with_suffix(".tmp").replace(path)

    # ----- requests: each method answers the path that ROUTES gives it ---------------------------------------------

    def find(self, user: User | None, kind: str, name: str, *, write: bool = False) -> Repo:
        repo = self.repos.get((kind, unquote(name)))
        if repo is None or (repo.private and not (user and user.may_read(repo.id.split("/")[0]))):
            raise HubError(404 if user else 401, "RepoNotFound", "Repository not found")
        if write and not (user and user.may_write(repo.id.split("/")[0])):
            raise HubError(403 if user else 401, "", f"You don't have the rights to write to {repo.id}")
        return repo

    def whoami(self, user: User | None, **_: Any) -> Answer:
        if user is None:
            raise HubError(401, "", "Invalid user token.")
        orgs = [{"type": "org", "name": org, "roleInOrg": role} for org, role in user.orgs.items()]
        token = {"displayName": "test", "role": user.role}
        return Answer({"type": "user", "name": user.name, "orgs": orgs, "auth": {"accessToken": token}})

    def create_repo(self, user: User | None, body: dict[str, Any], **_: Any) -> Answer:
        if user is None:
            raise HubError(401, "", "Invalid username or password.")
        namespace = body.get("organization") or user.name
        kind, name = body.get("type", "model") + "s", f"{namespace}/{body['name']}"
        if not user.may_write(namespace):
            raise HubError(
                403, "", f"You don't have the rights to create a {kind[:-1]} under the namespace {namespace}"
            )
        url = f"{self.url}/{KINDS[kind]}{name}"
        if (kind, name) in self.repos:
            return Answer({"error": "You already created this repo", "url": url}, status=409)
        private = body.get("private", False) or body.get("visibility") == "private"
        self.create(kind, name, private=private, sdk=body.get("sdk"))
        return Answer({"url": url, "name": name})

    def delete_repo(self, user: User | None, body: dict[str, Any], **_: Any) -> Answer:
        kind, name = body.get("type", "model") + "s", f"{body.get('organization')}/{body['name']}"
        self.find(user, kind, name, write=True)
        del self.repos[kind, name]
        (self.root / kind / f"{name}.json").unlink()
        return Answer({})

    def settings(self, user: User | None, kind: str, id: str, body: dict[str, Any], **_: Any) -> Answer:
        repo = self.find(user, kind, id, write=True)
        repo.private = body.get("private", repo.private)
        repo.gated = body.get("gated", repo.gated)
        self.save(repo)
        return Answer({"private": repo.private})

    def secret(self, user: User | None, id: str, body: dict[str, Any], **_: Any) -> Answer:
        self.find(user, "spaces", id, write=True).secrets[body["key"]] = body["value"]
        return Answer({})

    def mount(self, user: User | None, id: str, body: dict[str, Any], **_: Any) -> Answer:
        for volume in body["volumes"]:
            if volume["type"] == "bucket" and volume["source"] not in self.buckets:
                raise HubError(404, "", f"no bucket {volume['source']}")
        self.find(user, "spaces", id, write=True).volumes = body["volumes"]
        return Answer({})

    def create_bucket(self, user: User | None, id: str, body: dict[str, Any], **_: Any) -> Answer:
        if not (user and user.may_write(id.split("/")[0])):
            raise HubError(403 if user else 401, "", f"You don't have the rights to create a bucket {id}")
        url = f"{self.url}/buckets/{id}"
        if id in self.buckets:
            return Answer({"error": "You already created this bucket", "url": url}, status=409)
        self.buckets[id] = body
        return Answer({"url": url})

    def validate_yaml(self, body: dict[str, Any], **_: Any) -> Answer:
        try:
            front_matter(body["content"])
        except yaml.YAMLError as error:
            return Answer({"errors": [{"message": str(error)}], "warnings": []}, status=400)
        return Answer({"errors": [], "warnings": []})

    def info(self, user: User | None, kind: str, id: str, rev: str = "main", **_: Any) -> Answer:
        repo = self.find(user, kind, id)
        commit = repo.commit(rev)
        readme = commit["files"].get("README.md")
        card = front_matter(self.content(readme).decode()) if readme else None
        return Answer({
            "_id": git_hash(repo.id.encode())[:24], "id": repo.id, "author": repo.id.split("/")[0],
            "sha": commit["oid"],
            "private": repo.private, "gated": repo.gated, "disabled": False, "downloads": 0, "likes": 0, "tags": [],
            "createdAt": repo.commits[0]["date"], "lastModified": commit["date"], "cardData": card, "sdk": repo.sdk,
            "siblings": [{"rfilename": path} for path in sorted(commit["files"])],
        })  # fmt: skip

    def tree(
        self, user: User | None, kind: str, id: str, rev: str, query: dict[str, str], path: str = "", **_: Any
    ) -> Answer:
        files = self.find(user, kind, id).commit(rev)["files"]
        inside = {p: e for p, e in sorted(files.items()) if p.startswith(f"{path}/" if path else "")}
        if path and not inside:
            raise HubError(404, "EntryNotFound", f"{path} does not exist on {rev}")
        deep = query.get("recursive", "").lower() in ("true", "1")
        entries: dict[str, Any] = {}
        for name, entry in inside.items():
            parts, depth = name.split("/"), len(path.split("/")) if path else 0
            for end in range(depth + 1, len(parts) if deep else min(len(parts), depth + 2)):
                entries["/".join(parts[:end])] = folder_info("/".join(parts[:end]))
            if deep or len(parts) == depth + 1:
                entries[name] = file_info(name, entry)
        return Answer(list(entries.values()))

    def paths_info(self, user: User | None, kind: str, id: str, rev: str, body: dict[str, Any], **_: Any) -> Answer:
        files = self.find(user, kind, id).commit(rev)["files"]
        wanted = body["paths"] if isinstance(body["paths"], list) else [body["paths"]]
        found = [file_info(path, files[path]) for path in wanted if path in files]
        folders = {path for path in wanted if any(p.startswith(f"{path}/") for p in files)}
        return Answer(found + [folder_info(path) for path in sorted(folders)])

    def refs(self, user: User | None, kind: str, id: str, **_: Any) -> Answer:
        repo = self.find(user, kind, id)
        named = {"branches": ("refs/heads/", repo.branches), "tags": ("refs/tags/", repo.tags), "converts": ("", {})}
        listed = {
            group: [{"name": name, "ref": prefix + name, "targetCommit": oid} for name, oid in refs.items()]
            for group, (prefix, refs) in named.items()
        }
        pulls = [{"name": name, "ref": name, "targetCommit": oid} for name, oid in repo.pulls.items()]
        return Answer(listed | {"pullRequests": pulls})

    def commits(self, user: User | None, kind: str, id: str, rev: str, **_: Any) -> Answer:
        repo = self.find(user, kind, id)
        oid, listed = repo.commit(rev)["oid"], []
        while oid:
            commit = repo.commit(oid)
            listed.append({"id": oid, "title": commit["title"], "message": "", "date": commit["date"], "authors": []})
            oid = commit["parent"]
        return Answer(listed)

    def preupload(self, user: User | None, kind: str, id: str, rev: str, body: dict[str, Any], **_: Any) -> Answer:
        files = self.find(user, kind, id, write=True).commit(rev)["files"]
        modes = []
        for file in body["files"]:
            path, known = file["path"], files.get(file["path"])
            mode = "lfs" if path.endswith(LFS_SUFFIXES) or file["size"] > LFS_ABOVE else "regular"
            oid = (known["lfs"] or known["oid"]) if known else None
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return Answer({"files": modes})

    def lfs_batch(self, user: User | None, id: str, body: dict[str, Any], kind: str | None = None, **_: Any) -> Answer:
        self.find(user, (kind or "models/").rstrip("/"), id, write=True)
        objects = []
        for wanted in body["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if not (self.root / "objects" / wanted["oid"]).exists():
                answer["actions"] = {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}"}}
            objects.append(answer)
        return Answer({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str, body: bytes, **_: Any) -> Answer:
        if hashlib.sha256(body).hexdigest() != oid:
            raise HubError(400, "", "the content is not the announced one")
        self.keep(oid, body)
        return Answer()

    def post_commit(
        self, user: User | None, kind: str, id: str, rev: str, query: dict[str, str], body: list[dict[str, Any]]
    ) -> Answer:
        pull = query.get("create_pr") == "1"
        with self.lock:
            repo = self.find(user, kind, id, write=not pull)
            header = next(line["value"] for line in body if line["key"] == "header")
            if header.get("parentCommit") not in (None, repo.commit(rev)["oid"]):
                raise HubError(412, "", "A commit has happened since. Please refresh and try again.")
            added, deleted = {}, []
            for line in body:
                value = line["value"]
                if line["key"] == "file":
                    added[value["path"]] = self.store(value["path"], base64.b64decode(value["content"]), lfs=False)
                elif line["key"] == "lfsFile":
                    if not (self.root / "objects" / value["oid"]).exists():
                        raise HubError(400, "", f"LFS object {value['oid']} of {value['path']} was not uploaded")
                    added[value["path"]] = lfs_entry(value["oid"], value["size"])
                elif line["key"] in ("deletedFile", "deletedFolder"):
                    deleted.append(value["path"])
            ref = f"refs/pr/{len(repo.pulls) + 1}" if pull else ""
            oid = self.add_commit(repo, rev, header["summary"], added, deleted, ref)
        base = f"{self.url}/{KINDS[kind]}{repo.id}"
        url = f"{base}/discussions/{ref.rpartition('/')[2]}" if pull else None
        return Answer({"success": True, "commitOid": oid, "commitUrl": f"{base}/commit/{oid}", "pullRequestUrl": url})

    def tag(self, user: User | None, kind: str, id: str, rev: str, body: dict[str, Any], **_: Any) -> Answer:
        repo = self.find(user, kind, id, write=True)
        if body["tag"] in repo.tags:
            raise HubError(409, "", "Tag already exists")
        repo.tags[body["tag"]] = repo.commit(rev)["oid"]
        self.save(repo)
        return Answer({})

    def auth_check(self, user: User | None, kind: str, id: str, **_: Any) -> Answer:
        self.admit(user, self.find(user, kind, id))
        return Answer({})

    def admit(self, user: User | None, repo: Repo) -> None:
        """Refuse the contents of a gated repository to those who have no access."""
        if repo.gated and not (user and (repo.id in user.access or user.may_write(repo.id.split("/")[0]))):
            ask = f"Access to {repo.kind[:-1]} {repo.id} is restricted. Ask for access on its page."
            raise HubError(403 if user else 401, "GatedRepo", ask)

    def resolve(self, user: User | None, id: str, rev: str, path: str, kind: str | None = None, **_: Any) -> Answer:
        repo = self.find(user, (kind or "models/").rstrip("/"), id)
        self.admit(user, repo)
        commit = repo.commit(rev)
        entry = commit["files"].get(path)
        commit_header = {"X-Repo-Commit": commit["oid"]}
        if entry is None:
            return Answer({"error": "Entry not found"}, commit_header | {"X-Error-Code": "EntryNotFound"}, 404)
        etag = {"ETag": f'"{entry["lfs"] or entry["oid"]}"', "Accept-Ranges": "bytes"}
        if entry["lfs"]:
            etag |= {"X-Linked-Etag": f'"{entry["lfs"]}"', "X-Linked-Size": str(entry["size"])}
        return Answer(self.content(entry), commit_header | etag)


ROUTES = [
    (method, re.compile(path), answer)
    for method, path, answer in [
        ("GET", "/api/whoami-v2", Hub.whoami),
        ("POST", "/api/repos/create", Hub.create_repo),
        ("DELETE", "/api/repos/delete", Hub.delete_repo),
        ("POST", "/api/validate-yaml", Hub.validate_yaml),
        ("PUT", f"/api/{REPO}/settings", Hub.settings),
        ("POST", "/api/spaces/(?P<id>[^/]+/[^/]+)/secrets", Hub.secret),
        ("PUT", "/api/spaces/(?P<id>[^/]+/[^/]+)/volumes", Hub.mount),
        ("POST", "/api/buckets/(?P<id>[^/]+/[^/]+)", Hub.create_bucket),
        ("GET", f"/api/{REPO}", Hub.info),
        ("GET", f"/api/{REPO}/revision/(?P<rev>[^/]+)", Hub.info),
        ("GET", f"/api/{REPO}/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?", Hub.tree),
        ("POST", f"/api/{REPO}/paths-info/(?P<rev>[^/]+)", Hub.paths_info),
        ("GET", f"/api/{REPO}/refs", Hub.refs),
        ("GET", f"/api/{REPO}/auth-check", Hub.auth_check),
        ("GET", f"/api/{REPO}/commits/(?P<rev>[^/]+)", Hub.commits),
        ("POST", f"/api/{REPO}/preupload/(?P<rev>[^/]+)", Hub.preupload),
        ("POST", f"/api/{REPO}/commit/(?P<rev>[^/]+)", Hub.post_commit),
        ("POST", f"/api/{REPO}/tag/(?P<rev>[^/]+)", Hub.tag),
        ("POST", r"/(?P<kind>datasets/|spaces/)?(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch", Hub.lfs_batch),
        ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", Hub.lfs_put),
        ("GET", "/(?P<kind>datasets/|spaces/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)", Hub.resolve),
    ]
]


def gone(path: str, deleted: str) -> bool:
    return path == deleted or path.startswith(deleted.rstrip("/") + "/")


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def lfs_entry(sha256: str, size: int) -> dict[str, Any]:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return {"oid": git_hash(pointer.encode()), "size": size, "lfs": sha256}


def file_info(path: str, entry: dict[str, Any]) -> dict[str, Any]:
    info = {"type": "file", "path": path, "oid": entry["oid"], "size": entry["size"]}
    lfs = {"oid": entry["lfs"], "size": entry["size"], "pointerSize": 130}
    return info | ({"lfs": lfs} if entry["lfs"] else {})


def folder_info(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "oid": git_hash(path.encode()), "size": 0}


def front_matter(readme: str) -> Any:
    """The YAML block of a README, or None."""
    found = re.match(r"---\r?\n(.*?)\r?\n---", readme, re.DOTALL)
    return yaml.safe_load(found[1]) if found else None
